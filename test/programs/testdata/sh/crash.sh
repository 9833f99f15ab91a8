kill -s SEGV $$
sleep 30
