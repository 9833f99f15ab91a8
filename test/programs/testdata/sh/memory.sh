block=xxxxxxxxxxxxxxxx
while :; do block=$block$block; done
