package api

func (a *API) registerScaling() {}
