/** Stands where the flame graph would carry an assistant that needs a Grafana server. */
export const OpenAssistantButton = () => null
export const useAssistant = () => ({ isAvailable: false })
