package org.jenkinsci.plugins.credentialsbinding.impl

/** Stands for Jenkins' class of this name: withCredentials found no such credential. */
class CredentialNotFoundException extends IOException {

    CredentialNotFoundException(String message) {
        super(message)
    }

}
