// What `seawall/openfeature` exports: flags as a provider for OpenFeature's server SDK, by its types alone.

export {
  type Conversion,
  createExposures,
  type Exposure,
  type ExposureReport,
  type Exposures,
  type ExposuresOptions,
  type Tracked,
} from "./exposures.ts";
export {
  type AskedFlags,
  type FlagSource,
  type OpenFeatureOptions,
  openFeatureProvider,
  type SeawallProvider,
} from "./provider.ts";
