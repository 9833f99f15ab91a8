# Threads are a package of their own that is not always installed: processes, all
# at once.
set children {}
for {set i 1} {$i <= 4} {incr i} {
    set child [open "|[list [info nameofexecutable]]" r+]
    puts $child "set part 0; for {set n $i} {\$n <= 1000} {incr n 4} {incr part \$n}; puts \$part; exit"
    flush $child
    lappend children $child
}
set sum 0
foreach child $children {
    incr sum [gets $child]
    close $child
}
puts "sum $sum"
