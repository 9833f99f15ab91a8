import Data.List (sort)

main :: IO ()
main = do
  text <- getContents
  let values = sort (map read (words text)) :: [Int]
  putStrLn ("sum " ++ show (sum values))
  putStrLn (unwords ("sorted" : map show values))
  writeFile "out.txt" ("count " ++ show (length values) ++ "\n")
