/** Replaces the assistant of the flame graph, which needs a Grafana server. */
export const OpenAssistantButton = () => null
export const useAssistant = () => ({ isAvailable: false })
