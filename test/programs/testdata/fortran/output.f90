program flood
  do
    write (*, '(A)') '0123456789abcdef'
  end do
end program
