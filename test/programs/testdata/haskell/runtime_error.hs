main :: IO ()
main = print (head (filter (> 9) [1 :: Int, 2, 3]))
