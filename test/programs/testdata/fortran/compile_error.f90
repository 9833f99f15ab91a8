program broken
  implicit none
  n = 1
end program
