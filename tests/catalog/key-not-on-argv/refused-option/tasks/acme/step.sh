reflect-ci run checkout --api-key "$KEY"
