kill 'SEGV', $$;
sleep 30;
