const fs = require('fs');
for (;;) {
  fs.writeSync(1, '0123456789abcdef\n');
}
