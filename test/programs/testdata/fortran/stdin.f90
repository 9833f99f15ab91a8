program input
  implicit none
  integer :: values(1000), n, i, j, v, status
  n = 0
  do
    call next(v, status)
    if (status /= 0) exit
    j = n
    do while (j >= 1)
      if (values(j) <= v) exit
      values(j + 1) = values(j)
      j = j - 1
    end do
    values(j + 1) = v
    n = n + 1
  end do
  print '(A,I0)', 'sum ', sum(values(1:n))
  write (*, '(A)', advance='no') 'sorted'
  do i = 1, n
    write (*, '(A,I0)', advance='no') ' ', values(i)
  end do
  write (*, '(A)') ''
  open (unit=10, file='out.txt', status='replace')
  write (10, '(A,I0)') 'count ', n
  close (10)
contains
  ! Reads one word: list-directed input would drop the rest of its line.
  subroutine next(v, status)
    integer, intent(out) :: v, status
    character(len=32) :: word
    character :: c
    integer :: length
    length = 0
    word = ''
    do
      read (*, '(A)', advance='no', iostat=status) c
      if (is_iostat_end(status)) exit
      if (is_iostat_eor(status) .or. c == ' ') then
        if (length > 0) exit
      else
        length = length + 1
        word(length:length) = c
      end if
    end do
    if (length == 0) return
    read (word, *, iostat=status) v
  end subroutine
end program
