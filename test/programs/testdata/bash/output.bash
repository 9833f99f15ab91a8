while :; do echo 0123456789abcdef; done
