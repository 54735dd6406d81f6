import type { components } from "./schema.d.ts";

type Schemas = components["schemas"];

// The service's own words for what it sends, under the names that this program uses.
export type User = Schemas["User"];
export type Session = Schemas["Session"];
export type Panel = Schemas["Panel"];
export type PanelRecord = Schemas["Record"];
export type RecordList = Schemas["RecordList"];
export type StoredFile = Schemas["File"];
export type Job = Schemas["Job"];
export type Scaling = Schemas["Scaling"];
export type ScalingTrigger = Schemas["ScalingTrigger"];
export type ScalingHistory = Schemas["ScalingHistory"];
export type ScalingCurve = Schemas["ScalingCurve"];
export type PlannedTier = Schemas["PlannedTier"];
