for (let n = 0; ; n++) {}
