void call() { }
