for {set i 0} {$i < 200} {incr i} {
    if {[catch {exec sleep 30 &}]} {
        puts "refused"
        exit 0
    }
}
puts "never refused"
exit 1
