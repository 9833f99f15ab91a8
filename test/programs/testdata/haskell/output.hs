import Control.Monad

main :: IO ()
main = forever (putStrLn "0123456789abcdef")
