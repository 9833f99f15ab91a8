import Control.Exception
import Control.Monad
import System.Exit
import System.IO
import System.Process

main :: IO ()
main = do
  forM_ [1 .. 200 :: Int] $ \_ -> do
    started <- try (spawnProcess "sleep" ["30"]) :: IO (Either IOException ProcessHandle)
    case started of
      Right _ -> return ()
      Left _ -> do
        putStrLn "refused"
        hFlush stdout
        exitSuccess
  putStrLn "never refused"
  exitFailure
