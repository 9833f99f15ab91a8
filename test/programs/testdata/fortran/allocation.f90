program allocation
  implicit none
  integer, allocatable :: blocks(:, :)
  allocate (blocks(262144, 96))
  blocks = 1
  print '(I0,A)', sum(blocks)/262144, ' blocks'
end program
