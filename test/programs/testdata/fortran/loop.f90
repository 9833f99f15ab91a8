program spin
  integer, volatile :: n
  n = 0
  do
    n = mod(n + 1, 1000)
  end do
end program
