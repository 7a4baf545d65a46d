"""The maintainers' checker of the catalog: rules over tasks/, and the generated tables in the READMEs."""
