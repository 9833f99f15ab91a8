set values [lsort -integer [regexp -all -inline {\S+} [read stdin]]]
puts "sum [tcl::mathop::+ {*}$values]"
puts "sorted $values"
set out [open out.txt w]
puts $out "count [llength $values]"
close $out
