set blocks {}
for {set i 0} {$i < 96} {incr i} { lappend blocks [string repeat x [expr {1048576 - $i}]] }
puts "[llength $blocks] blocks"
