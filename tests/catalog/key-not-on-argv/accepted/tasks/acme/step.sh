reflect-ci run checkout --api-key-file key.txt
