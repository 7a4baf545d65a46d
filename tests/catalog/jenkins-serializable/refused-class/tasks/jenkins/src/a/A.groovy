package a

class A {

    private static final long serialVersionUID = 1L

}
