main :: IO ()
main = do
  let values = [1 ..] :: [Integer]
  print (sum (takeWhile (> 0) values))
  print (length values)
