"""Preparation of features, fitted on Train alone: a scaler, then a selector.

| scaler | a feature becomes | after |
|---|---|---|
| `standard` | mean 0, standard deviation 1 | |
| `robust` | median 0, the interquartile range of a normal | the default |
| `min_max` | -1 at Train's minimum, 1 at its maximum | |
| `quantile` | the normal score of its rank in Train | Conover 1980 |
| `power` | standardised after the Yeo-Johnson power of highest likelihood | Yeo and Johnson 2000 |

| selector | what is kept | after |
|---|---|---|
| `none` | every feature | the default |
| `elastic_net` | the first to enter the path of the elastic net, correlated ones together | Zou and Hastie 2005 |
| `mutual_information` | those that share most information with the label | Kraskov and others 2004 |
| `stability` | those that the lasso takes most often on halves of Train | Meinshausen and Buehlmann 2010 |
| `importance` | those that extremely randomised trees split by | Geurts and others 2006 |
| `pca` | uncorrelated combinations of highest variance, each with variance 1 | |
| `ica` | independent combinations | Hyvarinen 1999 |

Importing this room imports neither scikit-learn nor scipy: only fitting does, and applying `quantile` and `power`.
"""

from karat.features.preparation._preparation import Preparation
from karat.features.preparation._scalers import LIMIT, SCALERS, Scaling
from karat.features.preparation._selectors import SELECTORS, Selecting

__all__ = ["LIMIT", "SCALERS", "SELECTORS", "Preparation", "Scaling", "Selecting"]
