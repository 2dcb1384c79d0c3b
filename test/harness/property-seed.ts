import { configureGlobal } from 'fast-check'

/**
 * Property tests try the same cases in each run, so that a change is judged by what it changes. `PROPERTY_SEED=random` tries others;
 * what fails then names its seed and becomes a test of its own.
 */
const wanted = process.env['PROPERTY_SEED']
if (wanted !== 'random') configureGlobal({ seed: Number(wanted ?? 1) })
