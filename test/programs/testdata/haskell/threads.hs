import Control.Concurrent

main :: IO ()
main = do
  parts <- newEmptyMVar
  mapM_ (\first -> forkIO (putMVar parts $! sum [first, first + 4 .. 1000 :: Int])) [1 .. 4]
  sums <- mapM (const (takeMVar parts)) [1 .. 4 :: Int]
  putStrLn ("sum " ++ show (sum sums))
