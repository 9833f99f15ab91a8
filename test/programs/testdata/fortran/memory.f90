program memory
  implicit none
  type block
    integer, allocatable :: values(:)
  end type
  type(block) :: blocks(100000)
  integer :: i
  do i = 1, size(blocks)
    allocate (blocks(i)%values(262144), source=i)
  end do
  print *, sum(blocks(1)%values)
end program
