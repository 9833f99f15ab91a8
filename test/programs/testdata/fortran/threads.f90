! The language has no threads, but it can call the C library's.
module work
  use, intrinsic :: iso_c_binding
  implicit none
  integer(c_long), target :: sums(4)
  interface
    integer(c_int) function pthread_create(thread, attributes, start, argument) bind(c)
      import :: c_int, c_intptr_t, c_ptr, c_funptr
      integer(c_intptr_t), intent(out) :: thread
      type(c_ptr), value :: attributes, argument
      type(c_funptr), value :: start
    end function
    integer(c_int) function pthread_join(thread, result) bind(c)
      import :: c_int, c_intptr_t, c_ptr
      integer(c_intptr_t), value :: thread
      type(c_ptr), value :: result
    end function
  end interface
contains
  type(c_ptr) function add(argument) bind(c)
    type(c_ptr), value :: argument
    integer(c_long), pointer :: part
    integer(c_long) :: n, first
    call c_f_pointer(argument, part)
    first = part
    part = 0
    do n = first, 1000, 4
      part = part + n
    end do
    add = c_null_ptr
  end function
end module

program threads
  use work
  implicit none
  integer(c_intptr_t) :: ids(4)
  integer :: i
  do i = 1, 4
    sums(i) = i
    if (pthread_create(ids(i), c_null_ptr, c_funloc(add), c_loc(sums(i))) /= 0) error stop 1
  end do
  do i = 1, 4
    if (pthread_join(ids(i), c_null_ptr) /= 0) error stop 2
  end do
  print '(A,I0)', 'sum ', sum(sums)
end program
