import Control.Concurrent
import Control.Monad (forM, unless)
import Data.Char (toUpper)
import qualified Data.ByteString as Bytes
import Data.Time (TimeZone (..), utcToLocalTime)
import Data.Time.Clock.POSIX (posixSecondsToUTCTime)
import Data.Time.LocalTime (getTimeZone)
import GHC.IO.Encoding (getLocaleEncoding)
import System.Directory (getTemporaryDirectory, removeFile)
import System.Environment (setEnv)
import System.IO
import System.Process (readProcess)

check :: String -> Bool -> IO ()
check part right = do
  unless right (ioError (userError part))
  putStrLn (part ++ " ok")
  hFlush stdout

main :: IO ()
main = do
  all' <- forM [1 .. 4 :: Int] $ \i -> do
    done <- newEmptyMVar
    _ <- forkIO (threadDelay 1000 >> putMVar done i)
    pure done
  values <- mapM takeMVar all'
  check "threads" (sum values == 10)

  text <- readProcess "sh" ["-c", "echo from a child"] ""
  check "process" (text == "from a child\n")

  dir <- getTemporaryDirectory
  (name, handle) <- openTempFile dir "exercise.txt"
  hPutStr handle "hello"
  hClose handle
  again <- readFile name
  check "file" (again == "hello")
  removeFile name

  encoding <- getLocaleEncoding
  check "locale" (show encoding == "UTF-8" && toUpper 'é' == 'É')

  setEnv "TZ" "Asia/Tokyo"
  let moment = posixSecondsToUTCTime 1700000000
  zone <- getTimeZone moment
  check "zone" (timeZoneName zone == "JST" && show (utcToLocalTime zone moment) == "2023-11-15 07:13:20")

  let block = Bytes.replicate (96 * 1024 * 1024) 1
  check "memory" (Bytes.last block == 1)
