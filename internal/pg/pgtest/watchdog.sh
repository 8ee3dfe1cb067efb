# Arguments: directory to remove at the end, log file, program and its arguments. Standard input is a pipe whose other
# end belongs to the test process.
top=$1 log=$2
shift 2
"$@" >"$log" 2>&1 </dev/null &
server=$!
trap '' INT TERM HUP
cat >/dev/null
kill -QUIT "$server" 2>/dev/null
(
  sleep 10
  kill -KILL "$server" 2>/dev/null
) &
killer=$!
wait "$server"
kill -KILL "$killer" 2>/dev/null
rm -rf "$top"
