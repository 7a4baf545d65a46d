exec /home/jane/bin/reflect-ci
