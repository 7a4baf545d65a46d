package org.jenkinsci.plugins.workflow.libs

import java.lang.annotation.ElementType
import java.lang.annotation.Retention
import java.lang.annotation.RetentionPolicy
import java.lang.annotation.Target

/** Stands for Jenkins' annotation of this name. The engine loads the one library that it was given, whatever it says. */
@Retention(RetentionPolicy.SOURCE)
@Target([ElementType.PACKAGE, ElementType.TYPE, ElementType.FIELD, ElementType.LOCAL_VARIABLE])
@interface Library {

    String[] value()

}
