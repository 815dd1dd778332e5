import type { Board } from './board.ts'
import { agentMap } from './boards/agent-map.ts'
import { costAndLatencyByAgent } from './boards/cost-and-latency-by-agent.ts'
import { evaluations } from './boards/evaluations.ts'
import { oneAgent } from './boards/one-agent.ts'
import { pipeline } from './boards/pipeline.ts'
import { sampling } from './boards/sampling.ts'

export const boards: readonly Board[] = [costAndLatencyByAgent, oneAgent, agentMap, evaluations, sampling, pipeline]
