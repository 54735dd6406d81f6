package api

func (a *API) registerAccount()  {}
func (a *API) registerSessions() {}
func (a *API) registerTOTP()     {}
func (a *API) registerAdmin()    {}
func (a *API) registerScaling()  {}
