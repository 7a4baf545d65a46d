package a

import groovy.json.JsonSlurperClassic

class A implements Serializable {
}
