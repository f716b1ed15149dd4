-- Why: contact sheets are originals that workers make.

grant insert on asset to crewline_worker;
