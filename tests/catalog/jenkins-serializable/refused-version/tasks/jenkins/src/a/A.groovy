package a

class A extends B implements Serializable {
}
