import qualified Data.ByteString as B

main :: IO ()
main = do
  let blocks = [B.replicate (1024 * 1024) n | n <- [1 .. 96]]
  let whole = length (filter ((== 1024 * 1024) . B.length) blocks)
  let again = sum (map (fromIntegral . B.last) blocks) :: Int
  putStrLn (show whole ++ " blocks")
  if again == 96 * 97 `div` 2 then return () else error "the blocks are wrong"
