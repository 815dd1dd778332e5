/** A list with the defaults that stand in it: the environment of who proves it must not move what is measured. */
export const asWritten = (list: string): string => list.replace(/\$\{env:\w+:-([^}]*)\}/g, '$1')
