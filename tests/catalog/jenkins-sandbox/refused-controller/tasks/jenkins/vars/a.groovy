String call() {
    return new File('/etc/hostname').text + System.getenv('HOME') + 'uname'.execute().text
}
