import type { Board } from './board.ts'
import { costAndLatencyByAgent } from './boards/cost-and-latency-by-agent.ts'

export const boards: readonly Board[] = [costAndLatencyByAgent]
