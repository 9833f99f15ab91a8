program exercise
  implicit none
  call process()
  call files()
  call locale()
  call zone()
  call memory()
contains
  subroutine check(right, part)
    logical, intent(in) :: right
    character(len=*), intent(in) :: part
    if (.not. right) error stop part
    print '(2A)', part, ' ok'
    flush (6)
  end subroutine

  subroutine process()
    integer :: code, unit
    character(len=32) :: line
    call execute_command_line('echo from a child > child.txt', exitstat=code)
    open (newunit=unit, file='child.txt', status='old')
    read (unit, '(A)') line
    close (unit, status='delete')
    call check(code == 0 .and. line == 'from a child', 'process')
  end subroutine

  subroutine files()
    integer :: unit
    character(len=5) :: text
    open (newunit=unit, status='scratch')
    write (unit, '(A)') 'hello'
    rewind (unit)
    read (unit, '(A)') text
    close (unit)
    call check(text == 'hello', 'file')
  end subroutine

  ! The decimal mark is all that the language knows of a locale.
  subroutine locale()
    character(len=8) :: text
    write (text, '(F4.2)', decimal='comma') 1.25
    call check(text == '1,25', 'locale')
  end subroutine

  subroutine zone()
    character(len=5) :: offset
    call date_and_time(zone=offset)
    call check(scan(offset(1:1), '+-') == 1 .and. verify(offset(2:5), '0123456789') == 0, 'zone')
  end subroutine

  subroutine memory()
    integer, allocatable :: block(:)
    allocate (block(24*1024*1024))
    block = 1
    call check(sum(block) == size(block), 'memory')
  end subroutine
end program
