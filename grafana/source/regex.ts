/** A regular expression of Prometheus or Phoenix that matches this text and no other. */
export const literal = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
