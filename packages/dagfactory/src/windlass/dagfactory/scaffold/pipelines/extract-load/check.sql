-- What must hold before anybody sees the rows. The task fails, and those after it do not run, if it does not.
do $$
begin
    if not exists (select from @@schema@@.landed_order) then
        raise exception using message = 'no order has landed', hint = 'Look at the source of extract.sql.';
    end if;
    if exists (select from @@schema@@.landed_order where quantity <= 0) then
        raise exception using message = 'orders without a quantity have landed';
    end if;
end
$$;
