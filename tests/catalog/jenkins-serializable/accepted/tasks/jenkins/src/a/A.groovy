package a

class A implements Serializable {

    private static final long serialVersionUID = 1L

}
