puts "before"
set n [expr {1 +}]
