package a

class A implements Serializable {

    List names(Map config) {
        return config.keySet() as List
    }

}
